1;
function result = twice(x)
  result = 2 * x;
endfunction

A = rand(100);
printf("%d %g\n", norm(A * inv(A) - eye(100)) < 1e-6, twice(21));
printf("%s\n", mat2str(round(roots([1 -6 11 -6])')));
printf("%g\n", fzero(@(x) x^2 - 2, [0 2]) ^ 2);
values = cellfun(@(s) numel(s), {"a", "bc"});
printf("%d %d %s\n", values, strjoin(regexp("a1b2", '\d', "match"), ","));
try
  undefined_function(1);
catch err
  printf("%s\n", err.identifier);
end_try_catch
% Output:
% 1 42
% [3 2 1]
% 2
% 1 2 1,2
% Octave:undefined-function
