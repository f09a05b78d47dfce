import { EventEmitter } from "events";
import greet, { version } from "greeter";
import data from "./data.json";
import { View } from "./lib/view.js";
import * as util from "@lib/util";

const emitter = new EventEmitter();
emitter.once("done", (text: string) => console.log(text));
emitter.emit("done", greet("packages"));
console.log(version, data.items.length, new View().render(), util.twice(4));
if (require.main === module) console.log("main");
// Output:
// hello packages
// 1.2.3 3 <p>view</p> 8
// main
