import { describe, expect, test } from '@jest/globals';
import { addressOf, networkOf } from './addresses.js';

describe('one address for a limit', () => {
  test.each([
    ['203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:0DB8:0001:0002:ffff::', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::9', '2001:db8:1:2::/64'],
    ['2001:db8::1:2:3:4:5', '2001:db8:0:1::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['64:ff9b:0:1::203.0.113.7', '64:ff9b:0:1::/64'],
    ['no address', 'no address'],
  ])('%s is %s', (address, network) => {
    expect(networkOf(address)).toBe(network);
  });
});

describe('the address of a request', () => {
  const request = (forwarded?: string) => ({
    headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded },
    socket: { remoteAddress: '10.0.0.1' },
  });

  test.each([
    ['no proxy is trusted, so nothing that is said counts', 0, '203.0.113.7', '10.0.0.1'],
    ['the proxy says whom it has seen', 1, '203.0.113.7', '203.0.113.7'],
    ['what the client has made up stands further left', 1, '6.6.6.6, 203.0.113.7', '203.0.113.7'],
    ['two proxies', 2, '6.6.6.6, 203.0.113.7, 10.0.0.2', '203.0.113.7'],
    ['fewer than there should be', 2, '203.0.113.7', '203.0.113.7'],
    ['a proxy that says nothing', 1, undefined, '10.0.0.1'],
  ])('%s', (_what, hops, forwarded, address) => {
    expect(addressOf(request(forwarded), hops)).toBe(address);
  });
});
