// SPDX-License-Identifier: MIT
import { Condition } from '../synchronize/condition.js';
import { Event } from '../synchronize/event.js';
import {
  attachCondition,
  attachEvent,
  attachLock,
  describeCondition,
  describeLock,
  type SemLockDescriptor,
} from '../synchronize/reduction.js';
import { provide } from '../reduction/registry.js';
import { SemLock } from '../synchronize/sem-lock.js';

provide('locks', {
  describe(object, giving, describePart) {
    if (object instanceof SemLock) return describeLock(object, giving);
    if (object instanceof Event) return { type: 'Event', event: object.addressFor(giving) };
    if (!(object instanceof Condition)) return undefined;
    const lock = describePart?.(object.lock) ?? describeLock(object.lock, giving);
    return describeCondition(object, lock as SemLockDescriptor, giving);
  },
  attach(fields, _taking, attachPart) {
    switch (fields['type']) {
      case 'Condition':
        return attachCondition(fields, 'descriptor', attachPart);
      case 'Event':
        return attachEvent(fields);
      default:
        return attachLock(fields, 'descriptor');
    }
  },
});
