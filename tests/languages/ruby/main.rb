require_relative "sub/helper"

mode, *args = ARGV
case mode
when "ordinary"
  puts "hello"
  puts args.join("|")
  print File.read("data/in.txt")
  puts größe
  print STDIN.read
  exit 3
when "raise"
  raise "boom é"
when "sleep"
  puts "before"
  STDOUT.flush
  sleep 60
when "memory"
  kept = []
  loop { kept << "x" * (1 << 20) }
else
  loop { puts "flood" * 100 }
end
