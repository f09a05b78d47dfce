return {greeting = function() return "héllo ☃ from sub" end}
