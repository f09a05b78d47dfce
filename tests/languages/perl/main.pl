use strict;
use warnings;
use utf8;
use open qw(:std :encoding(UTF-8));
use sub::helper;

my ($mode, @args) = map { utf8::decode(my $text = $_); $text } @ARGV;
if ($mode eq "ordinary") {
    print "hello\n", join("|", @args), "\n";
    open my $file, "<", "data/in.txt" or die $!;
    print <$file>;
    print sub::helper::größe(), "\n";
    print <STDIN>;
    exit 3;
}
die "boom é" if $mode eq "raise";
if ($mode eq "sleep") {
    $| = 1;
    print "before\n";
    sleep 60;
}
if ($mode eq "memory") {
    my @kept;
    push @kept, "x" x (1 << 20) while 1;
}
print "flood" x 100, "\n" while 1;
