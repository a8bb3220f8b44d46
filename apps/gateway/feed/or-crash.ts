/** An error thrown in the library's callback would only end the connection's reader: a fault of ours ends the process. */
export function orCrash<T>(take: (value: T) => void): (value: T) => void {
  return (value) => {
    try {
      take(value);
    } catch (error) {
      process.nextTick(() => {
        throw error;
      });
    }
  };
}
