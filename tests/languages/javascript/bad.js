console.log("unfinished
