addpath("sub");
args = argv();
mode = args{1};
switch mode
  case "ordinary"
    printf("hello\n%s\n", strjoin(args(2:end)', "|"));
    fputs(stdout, fileread("data/in.txt"));
    printf("%s\n", greeting());
    while ischar(line = fgets(stdin))
      fputs(stdout, line);
    endwhile
    exit(3);
  case "raise"
    error("boom é");
  case "sleep"
    printf("before\n");
    fflush(stdout);
    pause(60);
  case "memory"
    kept = {};
    while true
      kept{end + 1} = ones(1, 131072);
    endwhile
  otherwise
    while true
      printf("%s\n", repmat("flood", 1, 100));
    endwhile
endswitch
