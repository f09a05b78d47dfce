BEGIN { print "unfinished
