printf("unfinished
