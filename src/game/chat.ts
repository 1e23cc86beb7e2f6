/** Longer messages are cut. */
export const chatBytesMax = 300;

/**
 * Characters of a message that are looked at: each ban word is searched for in them, and a packet has
 * room for a million. What comes after them would be cut off anyway.
 */
export const chatCharsMax = 4_096;

const encoder = new TextEncoder();

/** The message as others see it: at most `chatBytesMax` bytes of UTF-8, cut between characters. */
export function cutChat(message: string): string {
  // No character of UTF-16 takes less than one byte, nor more than three.
  if (message.length * 3 <= chatBytesMax) return message;
  const bytes = encoder.encode(message);
  if (bytes.length <= chatBytesMax) return message;
  let end = chatBytesMax;
  // 10xxxxxx goes on with a character that began before.
  while (((bytes[end] as number) & 0xc0) === 0x80) end--;
  return new TextDecoder().decode(bytes.subarray(0, end));
}

/** Whether one of the words is in the text. An empty word, as old files have them, bans nothing. */
export function holdsBanWord(text: string, banWords: readonly string[]): boolean {
  return banWords.some((word) => word !== "" && text.includes(word));
}
