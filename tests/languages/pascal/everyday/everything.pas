{$mode objfpc}{$H+}
uses
  {$ifdef unix}cthreads,{$endif} Classes, SysUtils, Math;

type
  TAdder = class(TThread)
    Sum: integer;
    procedure Execute; override;
  end;

procedure TAdder.Execute;
var
  i: integer;
begin
  for i := 1 to 100 do
    Sum := Sum + i;
end;

var
  adder: TAdder;
  list: TStringList;
begin
  adder := TAdder.Create(false);
  adder.WaitFor;
  writeln(adder.Sum, ' ', Power(2, 10):0:0);
  list := TStringList.Create;
  list.CommaText := 'b,a,c';
  list.Sort;
  writeln(list.CommaText, ' ', Format('%.2f', [Pi]));
  try
    StrToInt('x');
  except
    on e: EConvertError do
      writeln('caught');
  end;
end.
{ Output:
5050 1024
a,b,c 3.14
caught
}
