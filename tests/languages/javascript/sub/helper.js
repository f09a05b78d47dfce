exports.größe = () => "héllo ☃ from sub";
