enum Color { Red = "red", Blue = "blue" }
namespace Shapes {
  export const sides = (name: "square" | "triangle") => (name === "square" ? 4 : 3);
}
abstract class Animal {
  constructor(protected readonly name: string, private age?: number) {}
  abstract sound(): string;
  get label(): string { return `${this.name}: ${this.sound()} ${this.age ?? "?"}`; }
}
class Dog extends Animal { sound() { return "wau" as const; } }
function first<T extends { length: number }>(items: readonly T[]): T | undefined { return items[0]; }
type Keys<T> = { [K in keyof T]: K }[keyof T];
const key: Keys<{ a: 1 }> = "a";
const größe = { wert: 3 } as Record<string, number>;

const wait = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms));
await wait(10);
console.log(Color.Blue, Shapes.sides("square"), new Dog("Rex").label, first(["x"])!.length, key, größe.wert);
console.log(new Dog("Rex").constructor.name, require("node:os").EOL === "\n", __dirname);
// Output:
// blue 4 Rex: wau ? 1 a 3
// Dog true /workspace
