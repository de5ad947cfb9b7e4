/** What is wrong with a settings file, in one clause. */
export class ConfigProblem extends Error {}
