# Blocks whose addresses are only Integers of Ruby's, as Fiddle gives them.
require "fiddle"

library = Fiddle.dlopen(ENV["BLOCKS"])
make = Fiddle::Function.new(library["blocks_make"], [], Fiddle::TYPE_UINTPTR_T)
churn = Fiddle::Function.new(library["blocks_churn"], [], Fiddle::TYPE_INT)

def hold(make) = Array.new(1000) { make.call }

# What is on no stack any more.
def bury(depth) = depth.zero? ? 0 : 1 + bury(depth - 1)

held = hold(make)
puts "kept #{churn.call}"
held.fill(0)
held = nil
3.times { GC.start; bury(1000); Array.new(1000) { |i| i } }
puts "left #{churn.call}"
