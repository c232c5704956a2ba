# The work of the ruby case: hashes, strings, threads, thousands of fibers, generators, forks, Ruby's own
# collector. Each section prints one line that is a count or a digest, the same on every machine. Live data
# stays small, so that a collector which runs very often still finishes in time.
require "digest"
require "json"
require "objspace"
require "open3"
require "set"
require "socket"
require "weakref"
require "zlib"

def digest(*parts) = Digest::SHA256.hexdigest(parts.inspect)[0, 16]

# Park and Miller's generator; Random's sequences may change between versions.
def numbers(state) = -> { state = state * 16807 % 2147483647 }

def hashes
  step_number = numbers(3)
  table = Hash.new { |hash, key| hash[key] = [] }
  400_000.times do |step|
    key = :"key#{step_number.() % 3000}"
    step % 5 == 0 ? table.delete(key) : table[key] << step
    table[key].shift if table.key?(key) && table[key].size > 20
  end
  groups = table.group_by { |_, list| list.size }.transform_values(&:size).sort
  by_struct = Struct.new(:name, :size)
  set = Set.new(table.map { |key, list| by_struct.new(key.to_s, list.size % 4) })
  digest(groups, set.map(&:to_a).sort, table.sort_by { |key, _| key }.first(100))
end

def strings
  step_number = numbers(5)
  lines = Array.new(20_000) do
    "#{step_number.()} user#{step_number.() % 97}@host#{step_number.() % 13}.example é"
  end
  text = lines.join("\n")
  hosts = text.scan(/@([\w.]+)/).flatten.tally
  swapped = text.gsub(/^(?<number>\d+) (?<user>\w+)@(?<host>\S+)/) { "#{$~[:host]}:#{$~[:user].upcase}" }
  grown = +""
  5000.times do |index|
    grown << index.to_s << "-" * (index % 30)
    grown.slice!(0, 3000) if grown.size > 4000
  end
  coded = [Zlib.deflate(swapped)].pack("m")
  answer = Zlib.inflate(coded.unpack1("m")).force_encoding("UTF-8")
  parsed = JSON.parse(JSON.generate({"hosts" => hosts, "lines" => answer.lines.first(2000)}))
  symbols = (1..20_000).map { |index| "symbol#{index}".to_sym }.uniq.size
  formatted = format("%08.3f|%-6s|%+d", 3.14159, "ab", 5)
  digest(hosts.sort, answer == swapped, grown, parsed["lines"].last, symbols, formatted)
end

# Each thread has work of its own, adds to one total under a lock, and passes items on through queues.
def threads
  lock, totals = Mutex.new, Hash.new(0)
  waiting, full = SizedQueue.new(20), Queue.new
  workers = 8.times.map do |index|
    Thread.new do
      step_number = numbers(index + 1)
      Thread.current[:name] = "worker #{index}"
      40.times do |turn|
        list = Array.new(600) { step_number.().to_s * (turn % 3 + 1) }
        sum = list.sort.each_slice(7).sum { |slice| slice.join.size }
        lock.synchronize { totals[Thread.current[:name]] += sum }
      end
      while (item = waiting.pop) != :end
        full << item.reverse
      end
      full << :done
    end
  end
  1500.times { |index| waiting << "item #{index}" }
  8.times { waiting << :end }
  passed, done = [], 0
  until done == 8
    item = full.pop
    item == :done ? done += 1 : passed << item
  end
  workers.each(&:join)
  brief = 200.times.map { |index| Thread.new { Array.new(100) { index }.sum } }.sum(&:value)
  raised = Thread.new { Thread.current.report_on_exception = false; raise "inside" }
  caught = begin
    raised.join
  rescue RuntimeError => error
    error.message
  end
  digest(totals.sort, passed.sort, brief, caught)
end

# Thousands made and resumed; of some the stacks hold the only references, some are dropped half way.
def fibers
  total = 0
  25.times do |round|
    all = Array.new(600) do |index|
      Fiber.new do |start|
        held = ["text #{index}" * 3, {start => [index] * 5}]
        3.times { |step| held << Fiber.yield(held[1][start].sum + step) }
        held.size + held[0].size
      end
    end
    all.each { |fiber| total += fiber.resume(round) }
    all.each_with_index do |fiber, index|
      next if index % 4 == 0
      4.times { |step| total += fiber.alive? ? fiber.resume(step).to_i : 1 }
    end
    GC.start if round % 3 == 0
  end
  nested = ->(depth) { Fiber.new { depth == 0 ? Fiber.yield([1]) : Fiber.yield(nested.(depth - 1).resume + [depth]) } }
  digest(total, nested.(150).resume.sum)
end

def generators
  fibonacci = Enumerator.new do |output|
    left, right = 0, 1
    loop do
      output << left
      left, right = right, left + right
    end
  end
  leaves = lambda do |tree, output|
    tree.is_a?(Array) ? tree.each { |branch| leaves.(branch, output) } : output << tree
  end
  build = ->(depth, name) { depth == 0 ? name : [build.(depth - 1, name * 2), build.(depth - 1, name * 2 + 1)] }
  walk = Enumerator.new { |output| leaves.(build.(14, 1), output) }
  pulled = []
  pulled << walk.next until pulled.size == 15_000
  pairs = fibonacci.lazy.select(&:even?).map { |number| number % 1_000_003 }.each_slice(2).first(400)
  started = Array.new(300) { |index| (index..).each_entry.tap(&:next) }
  digest(pulled.sum, walk.size, pairs, started.sum(&:peek), fibonacci.take(300).last)
end

# What Ruby's own collector finds, with every slot holding memory from malloc.
def collection
  # Made outside the loop, so that the finalizer does not hold what it waits for.
  finalized = 0
  finalizer = proc { finalized += 1 }
  map = ObjectSpace::WeakMap.new
  kept = []
  15.times do |round|
    400.times do |index|
      item = "item #{round} #{index} " + "x" * 200
      ObjectSpace.define_finalizer(item, finalizer)
      map[item] = item
      kept << item if index % 40 == 0
      cycle = [item]
      cycle << {cycle => item}.compare_by_identity
    end
    GC.start(full_mark: round.odd?, immediate_sweep: true)
  end
  GC.stress = true
  stressed = (1..6).map { |number| "s#{number}".to_sym.to_proc.call(Struct.new(:"s#{number}").new(number)) }.sum
  GC.stress = false
  GC.verify_internal_consistency
  raise "nothing was finalized" if finalized < 1000
  digest(kept, kept.all? { |item| map.key?(item) }, stressed)
end

def objects
  made = (1..2000).map do |index|
    Class.new do
      define_method(:"answer#{index}") { |more = 1| @list = Array.new(more) { index } }
      attr_reader :list
      define_singleton_method(:number) { index }
    end
  end
  sum = made.sum { |type| type.new.send(:"answer#{type.number}", 3).sum }
  big = (1..400).inject(:*)
  tree = {a: [1, 2.5, nil, "text", {b: 1..9}], "c" => [:symbol] * 50, big: big}
  copy = 300.times.inject(tree) { |data, _| Marshal.load(Marshal.dump(data)) }
  evaluated = (1..200).sum { |index| eval("->(value) { value * #{index} }").call(2) }
  depth = ->(level) { level == 0 ? 0 : 1 + depth.(level - 1) }
  overflow = ->(level) { overflow.(level + 1) + 1 }
  caught = begin
    overflow.(0)
  rescue SystemStackError => error
    error.class.name
  end
  digest(sum, copy == tree, big.to_s, evaluated, depth.(2000), caught)
end

def children
  answers = 15.times.map do |index|
    reader, writer = IO.pipe
    child = fork do
      reader.close
      GC.start
      writer.write(digest((1..2000).map { |number| (number * index).to_s }))
      writer.close
      exit!(index)
    end
    writer.close
    answer = reader.read
    Process.wait(child)
    [answer, $?.exitstatus, $?.signaled?]
  end
  answers += 10.times.map { |index| `echo command #{index} | tr a-z A-Z` }
  output, status = Open3.capture2("sort", stdin_data: "c\nb\na\n")
  threads = 6.times.map { |index| Thread.new { IO.popen(["echo", "thread #{index}"], &:read) } }
  digest(answers, output, status.exitstatus, threads.map(&:value))
end

def sockets
  server = TCPServer.new("127.0.0.1", 0)
  serving = Thread.new do
    connections = 20.times.map do
      Thread.new(server.accept) do |socket|
        socket.each_line { |line| socket.puts(line.chomp.reverse) }
        socket.close
      end
    end
    connections.each(&:join)
  end
  answers = 20.times.map do |index|
    Thread.new do
      socket = TCPSocket.new("127.0.0.1", server.addr[1])
      list = 100.times.map { |turn| socket.puts("#{index}-#{turn}-#{"z" * turn}"); socket.gets }
      socket.close
      list
    end
  end.map(&:value)
  serving.join
  digest(answers)
end

$stdout.sync = true
%i[hashes strings threads fibers generators collection objects children sockets].each do |section|
  puts "#{section} #{send(section)}"
end
