# The usual ways through the interpreter, so that what they make is there already: see ruby.c.
# Nothing of it has a name that a program could meet.
lambda do
  numbers = (1..9).map { |i| i * i }
  table = numbers.to_h { |n| [n.to_s, n.to_f] }
  format("%s %.2f %p", table.inspect, 1.5, numbers.sum { |n| n / 2.0 })
  "a,b".split(",").each_with_index.sort_by { |word, i| [-i, word.upcase] }.first
  thing = Class.new do
    attr_reader :name

    def initialize(name)
      @name = name
    end

    def to_s # what a match leaves in $~ stays here
      "a1b2".gsub(/\d/) { |digit| (digit.to_i + 1).to_s } =~ /b(?<number>\d)/
      "<#{@name}>"
    end
  end
  $stdout.write(thing.new("x").to_s[0, 0])
  begin
    nil.unknown
  rescue NoMethodError => e
    e.full_message(highlight: false)
  end
end.call
