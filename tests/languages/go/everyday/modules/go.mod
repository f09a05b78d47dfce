module example.org/app

go 1.19

require example.org/greet v1.0.0

replace example.org/greet => ./third_party/greet
