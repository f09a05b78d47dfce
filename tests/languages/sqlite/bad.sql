SELECT 'unfinished
