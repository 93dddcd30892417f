export async function benchSpeed(): Promise<boolean> {
  return true;
}
