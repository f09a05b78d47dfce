echo "unfinished
