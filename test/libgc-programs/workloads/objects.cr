# Fibers, channels, finalizers, weak references, hashes, strings, JSON. What the collector may or may not have found
# by then is only ever compared with a bound.
require "weak_ref"
require "json"

class Node
  getter left : Node?
  getter right : Node?

  def initialize(@left, @right)
  end

  def leaves : Int32
    (@left.try(&.leaves) || 1) + (@right.try(&.leaves) || 1)
  end
end

def tree(depth) : Node
  depth == 1 ? Node.new(nil, nil) : Node.new(tree(depth - 1), tree(depth - 1))
end

class Finalized
  @@count = Atomic(Int32).new(0)

  def self.count
    @@count.get
  end

  def finalize
    @@count.add(1)
  end
end

def fibers(count)
  channel = Channel(Int64).new
  count.times do |seed|
    spawn do
      sum = 0_i64
      200_000.times do |i|
        sum += [i, seed].size
        Fiber.yield if i % 1000 == 0
      end
      channel.send sum
    end
  end
  count.times.sum { channel.receive }
end

# Fibers that wait for each other, each with a tree that only its own stack holds.
def chain(count)
  first = Channel(Int32).new
  last = first
  count.times do
    from = last
    to = Channel(Int32).new
    spawn do
      own = tree(6)
      received = from.receive
      to.send received + own.leaves
    end
    last = to
  end
  Fiber.yield
  GC.collect
  spawn { first.send 0 }
  last.receive
end

def finalizers(count)
  count.times { Finalized.new }
  GC.collect
  GC.collect
  Finalized.count
end

def weak_references(count)
  references = Array.new(count) { |i| WeakRef.new("text #{i}" * 3) }
  GC.collect
  references.count { |reference| reference.value.nil? }
end

def hashes(count)
  hash = {} of String => Array(Int32)
  count.times { |i| hash["k#{i}"] = [i] }
  count.times { |i| hash.delete("k#{i}") if i.even? }
  hash.sum { |key, value| key.size.to_i64 + value[0] }
end

def json(count)
  text = (0...count).map { |i| {"number" => i, "name" => "n#{i}"} }.to_json
  JSON.parse(text).as_a.sum { |entry| entry["number"].as_i + entry["name"].as_s.size }
end

puts "trees #{(0...20).sum { tree(14).leaves }}"
puts "fibers #{fibers(8)}"
puts "chain #{chain(300)}"
puts "finalizers #{finalizers(100_000) > 50_000}"
puts "weak #{weak_references(1000) > 500}"
puts "hashes #{hashes(100_000)}"
puts "json #{json(20_000)}"
