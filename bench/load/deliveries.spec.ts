import { describe, expect, test } from '@jest/globals';
import { Room } from './deliveries.js';

function books() {
  const completed: number[] = [];
  const faults: string[] = [];
  const room = new Room('room', {
    onComplete: (_, sentAtMs) => completed.push(sentAtMs),
    onFault: (what) => faults.push(what),
  });
  return { room, completed, faults };
}

describe('the books of a load', () => {
  test('a message is complete with its last socket', () => {
    const { room, completed, faults } = books();
    const [a, b] = [room.enter(), room.enter()];
    expect([room.send(10), room.send(20)]).toEqual([0, 1]);
    a(0);
    a(1);
    expect(completed).toEqual([]);
    expect(room.missing).toBe('room has 1 of 2 deliveries of message 0');
    b(0);
    expect(completed).toEqual([10]);
    expect(room.isWaiting).toBe(true);
    b(1);
    expect(completed).toEqual([10, 20]);
    expect(room.isWaiting).toBe(false);
    expect(faults).toEqual([]);
  });

  test.each([
    ['a loss', [0, 2], 'room: message 2 came where 1 was due'],
    ['a repeat', [0, 0], 'room: message 0 came where 1 was due'],
    ['a wrong order', [1, 0], 'room: message 1 came where 0 was due'],
  ])('%s is a fault', (_, indexes, fault) => {
    const { room, faults } = books();
    const [socket] = [room.enter(), room.enter()];
    for (let i = 0; i < 3; i += 1) room.send(0);
    for (const index of indexes) socket(index);
    expect(faults[0]).toBe(fault);
  });

  test('whoever comes later begins with what is sent then', () => {
    const { room, faults } = books();
    const first = room.enter();
    room.send(0);
    first(0);
    const second = room.enter();
    second(room.send(0));
    expect(faults).toEqual([]);
  });
});
