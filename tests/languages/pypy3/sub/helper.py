def größe():
    return "héllo ☃ from sub"
