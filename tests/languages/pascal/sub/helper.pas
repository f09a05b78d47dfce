unit helper;

interface

function Greeting: string;

implementation

function Greeting: string;
begin
  Greeting := 'héllo ☃ from sub';
end;

end.
