// SPDX-License-Identifier: MIT
//
// Datetimes without a time zone, in the hours that clocks show twice or skip. The field that tells two such hours apart
// was used for datetimes with a zone only, so that the others were an hour off.
import { expect } from 'chai';
import { pickle } from 'node-multiprocessing';

import { PickleMaker, pythons } from '../helpers/index.js';

/** Zones, each with a moment at which clocks are changed, in seconds. */
const changes: readonly [string, number][] = [
  ['Europe/Berlin', 1_729_990_800],
  ['Europe/Berlin', 1_711_846_800],
  ['America/New_York', 1_730_613_600],
  ['America/New_York', 1_710_054_000],
  ['Australia/Lord_Howe', 1_712_415_600],
  ['America/Sao_Paulo', 1_541_300_400],
  ['UTC', 1_729_990_800],
];

describe('A datetime without a time zone', () => {
  let before: string | undefined;
  beforeEach(() => {
    before = process.env['TZ'];
  });
  afterEach(() => {
    if (before === undefined) delete process.env['TZ'];
    else process.env['TZ'] = before;
  });

  for (const python of pythons()) {
    it(`is the moment of timestamp(), also when clocks are changed (Python ${python.version})`, async () => {
      for (const [zone, change] of changes) {
        process.env['TZ'] = zone;
        const maker = new PickleMaker(python, { env: { TZ: zone } });
        for (const minutes of [-90, -60, -30, -1, 0, 1, 30, 60, 90, 1440]) {
          const moment = change + 60 * minutes;
          // From protocol 4 on, a pickle tells which of two equal times it is.
          for (const protocol of [4, 5]) {
            const there = pickle.loads(maker.dumps(`datetime.datetime.fromtimestamp(${moment})`, protocol)) as Date;
            expect(there.getTime() / 1000, `${moment} in ${zone}`).to.equal(moment);
            for (const fold of [0, 1]) {
              // Times that clocks skip are among these.
              const local = `(datetime.datetime.utcfromtimestamp(${moment}) + datetime.timedelta(seconds=${offset(zone)})).replace(fold=${fold})`;
              const expected = pickle.loads(maker.dumps(`${local}.timestamp()`)) as number;
              const actual = pickle.loads(maker.dumps(local, protocol)) as Date;
              expect(actual.getTime() / 1000, `${local} in ${zone}`).to.equal(expected);
            }
          }
        }
        await maker.end();
      }
    });
  }
});

/** An offset of the zone from UTC, with which clocks show or skip a time around each change. */
function offset(zone: string): number {
  const hours = { 'Europe/Berlin': 1, 'America/New_York': -5, 'Australia/Lord_Howe': 10.5, 'America/Sao_Paulo': -3 };
  return 3600 * (hours[zone as keyof typeof hours] ?? 0);
}
