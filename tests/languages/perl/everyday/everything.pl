use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use Encode qw(decode encode);
use File::Temp qw(tempfile);
use IO::Socket::INET;
use JSON::PP;
use List::Util qw(sum first);
use POSIX qw(floor);
use Time::HiRes qw(sleep);

$| = 1;
print sum(map { $_ * $_ } 0 .. 4), " ", first { $_ > 2 } 1 .. 5;
print "\n", encode("UTF-8", uc decode("UTF-8", "größe")), "\n";
my $server = IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1") or die $!;
if (!fork) {
    my $client = $server->accept;
    print $client "by a socket\n";
    exit 0;
}
my $socket = IO::Socket::INET->new(PeerAddr => "localhost", PeerPort => $server->sockport) or die $!;
print scalar <$socket>;
wait;
print `echo from a shell`, floor(2.7), " ", substr(sha256_hex("x"), 0, 8), "\n";
print JSON::PP->new->canonical->encode({ b => [1], a => undef }), "\n";
# Output:
# 30 3
# GRÖSSE
# by a socket
# from a shell
# 2 2d711642
# {"a":null,"b":[1]}
