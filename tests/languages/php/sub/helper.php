<?php
function größe(): string
{
    return "héllo ☃ from sub";
}
