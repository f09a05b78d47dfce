package sub::helper;
use utf8;

sub größe {
    return "héllo ☃ from sub";
}

1;
