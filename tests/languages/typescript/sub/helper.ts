export type Mode = "ordinary" | "raise" | "sleep" | "memory" | "flood";
export const größe = (): string => "héllo ☃ from sub";
