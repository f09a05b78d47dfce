{-# LANGUAGE ScopedTypeVariables #-}
module Main where

import Control.Concurrent
import Control.Concurrent.STM
import Control.Exception
import Control.Monad
import qualified Data.Map.Strict as Map
import qualified Data.Text as Text
import System.Process

main :: IO ()
main = do
  results <- forM [1 .. 10 :: Int] $ \n -> do
    box <- newEmptyMVar
    _ <- forkIO (putMVar box (n * n))
    return box
  mapM takeMVar results >>= print . sum
  counter <- newTVarIO (0 :: Int)
  done <- newEmptyMVar
  replicateM_ 5 (forkIO (atomically (modifyTVar' counter (+ 1)) >> putMVar done ()))
  replicateM_ 5 (takeMVar done)
  readTVarIO counter >>= print
  r <- try (evaluate (1 `div` (0 :: Int)))
  print (either (\(e :: ArithException) -> show e) show r)
  putStrLn (Text.unpack (Text.toUpper (Text.pack "größe")))
  print (Map.toList (Map.fromListWith (+) [("a", 1 :: Int), ("b", 2), ("a", 3)]))
  readProcess "tr" ["a-z", "A-Z"] "through tr\n" >>= putStr
-- Output:
-- 385
-- 5
-- "divide by zero"
-- GRÖSSE
-- [("a",4),("b",2)]
-- THROUGH TR
