// The work of the node case: workers, shared memory, buffers, compression and cryptography on the thread pool,
// JSON, promises, a web server, children. Each section prints one line that is a count or a digest, the same
// on every machine.
"use strict";
const assert = require("node:assert");
const childProcess = require("node:child_process");
const crypto = require("node:crypto");
const fs = require("node:fs/promises");
const http = require("node:http");
const { pipeline } = require("node:stream/promises");
const { Readable } = require("node:stream");
const { promisify } = require("node:util");
const v8 = require("node:v8");
const vm = require("node:vm");
const zlib = require("node:zlib");
const { Worker, isMainThread, parentPort, workerData } = require("node:worker_threads");

const digest = (...parts) => crypto.createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 16);

// Park and Miller's generator, as Math.random cannot be seeded.
function numbers(state) {
    return () => (state = (state * 16807) % 2147483647);
}

// What each worker does: answers messages, with buffers moved over and back, and counts in shared memory.
function serve() {
    const shared = new Int32Array(workerData.shared);
    const held = new Map();
    parentPort.on("message", (message) => {
        if (message === "end") {
            parentPort.postMessage({ held: held.size });
            parentPort.close();
            return;
        }
        const bytes = Buffer.from(message.buffer);
        const hash = crypto.createHash("sha1").update(bytes).digest("hex");
        held.set(hash, { name: `worker ${workerData.index}`, copy: Buffer.from(bytes) });
        if (held.size > 50) held.delete(held.keys().next().value);
        for (let index = 0; index < bytes.length; index++) bytes[index] ^= 0xff;
        for (let step = 0; step < 100; step++) Atomics.add(shared, step % shared.length, 1);
        Atomics.notify(shared, 0);
        parentPort.postMessage({ turn: message.turn, hash, buffer: message.buffer }, [message.buffer]);
    });
}

async function workers() {
    const shared = new SharedArrayBuffer(64);
    const answers = await Promise.all(
        Array.from({ length: 4 }, (_, index) => new Promise((resolve, reject) => {
            const worker = new Worker(__filename, { workerData: { shared, index } });
            const list = [];
            const send = (turn) => {
                const buffer = new ArrayBuffer(5000 + turn);
                Buffer.from(buffer).fill(`${index} ${turn} `);
                worker.postMessage({ turn, buffer }, [buffer]);
            };
            worker.on("message", (answer) => {
                if ("held" in answer) return list.push(answer.held);
                list.push(answer.hash, digest(Buffer.from(answer.buffer).toString("base64")));
                return answer.turn < 200 ? send(answer.turn + 1) : worker.postMessage("end");
            });
            worker.on("error", reject);
            worker.on("exit", (status) => {
                if (status === 0) resolve(list);
                else reject(new Error(`worker ended with ${status}`));
            });
            send(1);
        })),
    );
    // Workers ended from outside, in the middle of their work.
    const endless = `const list = [];
        for (;;) {
            list.push("x".repeat(list.length));
            if (list.length > 500) list.length = 0;
        }`;
    for (let round = 0; round < 4; round++) {
        const worker = new Worker(endless, { eval: true });
        await new Promise((resolve) => worker.once("online", resolve));
        assert.strictEqual(await worker.terminate(), 1);
    }
    return digest(answers, [...new Int32Array(shared)]);
}

function buffers() {
    const next = numbers(3);
    const kept = [];
    let sum = 0;
    for (let step = 0; step < 30000; step++) {
        const buffer = step % 50 === 0 ? Buffer.alloc(20000, step) : Buffer.from(`${next()} ${step}`.repeat(20));
        sum = (sum + buffer.readUInt32LE(8) + buffer.indexOf("9")) % 1e9;
        kept[step % 200] = buffer.subarray(2, 300);
    }
    const whole = Buffer.concat(kept);
    const wide = new Float64Array(whole.length).map((_, index) => whole[index] / 2);
    const view = new DataView(wide.buffer);
    const total = structuredClone(wide).reduce((left, right) => left + right);
    return digest(sum, whole.toString("base64"), view.getFloat64(800, true), total);
}

async function compression() {
    const next = numbers(5);
    const text = Buffer.from(Array.from({ length: 30000 }, () => `${next() % 5000} line ${next() % 97}`).join("\n"));
    const [deflated, packed, brotli] = await Promise.all([
        promisify(zlib.deflate)(text),
        promisify(zlib.gzip)(text, { level: 9 }),
        promisify(zlib.brotliCompress)(text, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 5 } }),
    ]);
    const texts = await Promise.all([
        promisify(zlib.inflate)(deflated),
        promisify(zlib.gunzip)(packed),
        promisify(zlib.brotliDecompress)(brotli),
    ]);
    assert(texts.every((answer) => answer.equals(text)));
    const many = await Promise.all(Array.from({ length: 200 }, async (_, index) => {
        const piece = text.subarray(index * 1000, index * 1000 + 3000);
        return promisify(zlib.unzip)(await promisify(zlib.gzip)(piece));
    }));
    const hash = crypto.createHash("sha256");
    await pipeline(Readable.from(many), zlib.createGzip(), zlib.createGunzip(), hash);
    return digest(text.length, hash.digest("hex"));
}

async function cryptography() {
    const keys = await Promise.all(Array.from({ length: 16 }, (_, index) =>
        promisify(crypto.pbkdf2)(`password ${index}`, "salt", 1500, 32, "sha512")));
    const derived = await promisify(crypto.scrypt)("password", "salt", 64, { N: 4096 });
    const sealed = keys.map((key, index) => {
        const cipher = crypto.createCipheriv("aes-256-gcm", key, Buffer.alloc(12, index));
        const body = Buffer.concat([cipher.update("text ".repeat(500 + index)), cipher.final()]);
        const opener = crypto.createDecipheriv("aes-256-gcm", key, Buffer.alloc(12, index));
        opener.setAuthTag(cipher.getAuthTag());
        const text = opener.update(body, undefined, "utf8") + opener.final("utf8");
        return [text.length, body.toString("hex")];
    });
    const pair = await promisify(crypto.generateKeyPair)("ec", { namedCurve: "P-256" });
    const signature = crypto.sign("sha256", Buffer.from("message"), pair.privateKey);
    assert(crypto.verify("sha256", Buffer.from("message"), pair.publicKey, signature));
    const hashes = Array.from({ length: 3000 }, (_, index) =>
        crypto.createHash("sha1").update(String(index)).digest("base64"));
    return digest(keys.map((key) => key.toString("hex")), derived.toString("hex"), sealed, hashes);
}

function objects() {
    const next = numbers(7);
    const grow = (depth) => (depth === 0
        ? { number: next(), text: `é ${next()}`, list: [next() / 8, null, true] }
        : Object.fromEntries(Array.from({ length: 6 }, (_, index) => [`key${index}`, grow(depth - 1)])));
    let tree = grow(4);
    const text = JSON.stringify(tree);
    for (let round = 0; round < 6; round++) {
        tree = JSON.parse(JSON.stringify(v8.deserialize(v8.serialize(tree)), null, 1));
        assert.strictEqual(JSON.stringify(tree), text);
    }
    const map = new Map();
    for (let step = 0; step < 150000; step++) {
        const key = `key${next() % 4000}`;
        if (step % 3 === 0) map.delete(key);
        else map.set(key, { step, pair: [key, step] });
    }
    const words = text.match(/"text":"é (\d+)"/g).map((word) => word.replace(/\D/g, "")).sort();
    let contexts = 0;
    for (let number = 0; number < 25; number++)
        contexts += vm.runInNewContext("Array.from({ length: 100 }, (_, index) => index * number).at(-1)", { number });
    global.gc();
    const sorted = [...map].sort(([left], [right]) => (left < right ? -1 : 1));
    return digest(sorted.map(([, item]) => item.pair), words, contexts);
}

async function promises() {
    async function* count(limit) {
        for (let index = 0; index < limit; index++)
            yield await new Promise((resolve) => setImmediate(resolve, index));
    }
    let sum = 0;
    for await (const index of count(3000)) sum += index;
    const all = await Promise.all(Array.from({ length: 20000 }, async (_, index) => (await null, index % 10)));
    const settled = await Promise.allSettled(Array.from({ length: 500 }, async (_, index) => {
        if (index % 2) throw new Error(`no ${index}`);
        return index;
    }));
    const refused = settled.filter((one) => one.status === "rejected").map((one) => one.reason.message);
    const timers = await Promise.all(Array.from({ length: 300 }, (_, index) =>
        new Promise((resolve) => setTimeout(resolve, index % 20, index))));
    const sizes = await Promise.all(Array.from({ length: 20 }, async (_, index) => {
        await fs.writeFile(`file${index}`, "text ".repeat(1000 * index));
        return (await fs.readFile(`file${index}`, "utf8")).length;
    }));
    return digest(sum, all.reduce((left, right) => left + right), refused, timers, sizes);
}

async function web() {
    const server = http.createServer(async (request, response) => {
        let length = 0;
        for await (const piece of request) length += piece.length;
        response.setHeader("x-length", length);
        const list = Array.from({ length: length % 50 }, (_, index) => index);
        response.end(JSON.stringify({ url: request.url, list }));
    });
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
    const ask = (index) => new Promise((resolve, reject) => {
        const { address: host, port } = server.address();
        const options = { host, port, path: `/${index}`, method: "POST", agent };
        const request = http.request(options, async (response) => {
            let text = "";
            for await (const piece of response) text += piece;
            resolve([response.headers["x-length"], text]);
        });
        request.on("error", reject);
        request.end("b".repeat(index * 20));
    });
    const answers = await Promise.all(Array.from({ length: 400 }, (_, index) => ask(index)));
    agent.destroy();
    await new Promise((resolve) => server.close(resolve));
    return digest(answers);
}

async function children() {
    const run = promisify(childProcess.execFile);
    const echoed = await Promise.all(Array.from({ length: 20 }, async (_, index) => {
        const { stdout } = await run("/bin/echo", ["child", String(index)]);
        return stdout;
    }));
    const shell = childProcess.execSync("printf 'c\\nb\\na\\n' | sort; exit 0", { encoding: "utf8" });
    await fs.writeFile("child.cjs", `
        let sum = 0;
        process.on("message", (number) => {
            sum += number;
            process.send(sum);
            if (number === 0) process.disconnect();
        });`);
    const talked = await Promise.all([1, 2].map((index) => new Promise((resolve, reject) => {
        const child = childProcess.fork("./child.cjs", { execArgv: [] });
        const heard = [];
        child.on("message", (number) => heard.push(number));
        child.on("error", reject);
        child.on("exit", (status, signal) => resolve([heard, status, signal]));
        for (let number = 40 * index; number >= 0; number--) child.send(number);
    })));
    const failed = childProcess.spawnSync("/bin/sh", ["-c", "exit 5"]).status;
    return digest(echoed, shell, talked, failed);
}

async function main() {
    for (const section of [workers, buffers, compression, cryptography, objects, promises, web, children])
        console.log(section.name, await section());
}

if (isMainThread) main();
else serve();
