module Sub.Helper (größe) where

größe :: String
größe = "héllo ☃ from sub"
