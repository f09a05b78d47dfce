module Main where

import Control.Concurrent (threadDelay)
import Control.Monad (forever)
import qualified Data.ByteString as B
import Data.IORef
import Data.List (intercalate)
import System.Environment (getArgs)
import System.Exit
import System.IO

import Sub.Helper (größe)

main :: IO ()
main = do
  mode : args <- getArgs
  case mode of
    "ordinary" -> do
      putStrLn "hello"
      putStrLn (intercalate "|" args)
      readFile "data/in.txt" >>= putStr
      putStrLn größe
      getContents >>= putStr
      exitWith (ExitFailure 3)
    "raise" -> error "boom é"
    "sleep" -> putStrLn "before" >> hFlush stdout >> threadDelay 60000000
    "memory" -> do
      kept <- newIORef []
      forever $ do
        let block = B.replicate (2 ^ (20 :: Int)) 120
        block `seq` modifyIORef' kept (block :)
    _ -> forever (putStrLn (concat (replicate 100 "flood")))
