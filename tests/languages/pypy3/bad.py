print("unfinished
