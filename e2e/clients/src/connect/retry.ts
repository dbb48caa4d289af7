/** A client of a chat never gives up by itself. */
export const retryAttempts = Number.POSITIVE_INFINITY;

/** Waits a quarter of a second, then twice as long each time, up to 8 s; give or take half, so that a crowd doesn't return as one. */
export function pause(retries: number): Promise<void> {
  const milliseconds = Math.min(250 * 2 ** retries, 8000) * (0.5 + Math.random());
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
