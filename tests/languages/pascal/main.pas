program main;

{$mode objfpc}

uses
  SysUtils, helper;

procedure Copy(var from: Text);
var
  line: string;
begin
  while not eof(from) do
  begin
    readln(from, line);
    writeln(line);
  end;
end;

var
  mode: string;
  i: integer;
  data: Text;
  kept: array of array of byte;
begin
  mode := ParamStr(1);
  if mode = 'ordinary' then
  begin
    writeln('hello');
    for i := 2 to ParamCount do
    begin
      if i > 2 then write('|');
      write(ParamStr(i));
    end;
    writeln;
    Assign(data, 'data/in.txt');
    Reset(data);
    Copy(data);
    writeln(Greeting());
    Copy(Input);
    Halt(3);
  end
  else if mode = 'raise' then
    raise Exception.Create('boom é')
  else if mode = 'sleep' then
  begin
    writeln('before');
    Flush(Output);
    Sleep(60000);
  end
  else if mode = 'memory' then
  begin
    SetLength(kept, 1000000);
    for i := 0 to 999999 do
    begin
      SetLength(kept[i], 1 shl 20);
      FillChar(kept[i][0], 1 shl 20, 1);
    end;
  end
  else
    while true do
      writeln('floodfloodfloodfloodfloodfloodfloodfloodfloodflood');
end.
