// Blocks whose addresses are only numbers of JavaScript's. An array of numbers alone holds them bare,
// one of anything holds objects that do.
const module_ = { exports: {} };
process.dlopen(module_, process.env.BLOCKS_NODE);
const { make, churn } = module_.exports;

function hold() {
  const bare = [], boxed = [];
  for (let i = 0; i < 500; i++) {
    bare.push(make());
    boxed.push(i % 2 ? { address: make() } : [String(i), make()]);
  }
  return [bare, boxed];
}

let held = hold();
console.log("kept", churn());
held = null;
for (let i = 0; i < 3; i++) {
  const others = [];
  for (let k = 0; k < 200000; k++) others.push({ address: k + 0.5 });
  global.gc();
}
console.log("left", churn());
