// SPDX-License-Identifier: MIT
import { crc32, deflateSync } from 'node:zlib';

/** A part of a PNG file: its length, its name, its content and a checksum. */
function chunk(name, content) {
  const body = Buffer.concat([Buffer.from(name, 'latin1'), content]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(content.length);
  frame.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
}

/** The PNG file of a picture: rows of pixels of three bytes, red, green and blue. */
export function png(picture) {
  const [height, width] = picture.shape;
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width);
  header.writeUInt32BE(height, 4);
  // Eight bits for each of the three colours.
  header.set([8, 2], 8);
  // In front of each row: its bytes are as they are.
  const rows = Array.from({ length: height }, (_, y) => [
    Buffer.of(0),
    picture.subarray(y * width * 3, (y + 1) * width * 3),
  ]);
  const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
  const content = deflateSync(Buffer.concat(rows.flat()));
  return Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', content), chunk('IEND', Buffer.alloc(0))]);
}
