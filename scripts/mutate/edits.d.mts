export declare const edited: <T extends object>(message: T, seed: number, index: number) => T;
