/**
 * Files of a log that only grows. All calls are asynchronous and reject with FileError; nothing
 * here blocks the serving thread. Calls for one open file take effect in the order they were made.
 */
export interface LogFilesPort {
  /** With parents, for its owner alone (0700); no error when it is there already. */
  makeDirectory(path: string): Promise<void>;
  /** The plain files in a directory, in no particular order. */
  list(directory: string): Promise<readonly LogFileInfo[]>;
  /** Opens for writing at the end; a new file is its owner's alone (0600), and a power loss may
   * take it until `syncDirectory`. */
  openAppend(path: string): Promise<LogFileWriter>;
  openRead(path: string): Promise<LogFileReader>;
  /** Cuts a file to so many bytes. */
  truncate(path: string, bytes: number): Promise<void>;
  /** No error when there is none. A power loss may bring it back until `syncDirectory`. */
  remove(path: string): Promise<void>;
  /** Replaces a file of the new name. A power loss may undo it until `syncDirectory`. */
  rename(from: string, to: string): Promise<void>;
  /** Makes the directory's names survive a power loss. */
  syncDirectory(directory: string): Promise<void>;
}

export interface LogFileInfo {
  readonly name: string;
  readonly bytes: number;
}

export interface LogFileWriter {
  /** Bytes in the file when it was opened. */
  readonly sizeFound: number;
  /** Writes all bytes at the end, or rejects; a failed append may leave a part of them. The bytes
   * must stay as they are until it is done. */
  append(bytes: Uint8Array): Promise<void>;
  /** fdatasync: when it resolves, what was appended survives a power loss. */
  dataSync(): Promise<void>;
  /** `append` and `dataSync` in one, for a sixth to a third less CPU: after it, all that was appended
   * survives a power loss. When it rejects, nobody knows what of it would. */
  appendSynced(bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

export interface LogFileReader {
  /** Fills `into` from position `at` of the file; returns how many bytes there were, fewer than
   * asked for only at the end. */
  read(into: Uint8Array, at: number): Promise<number>;
  close(): Promise<void>;
}
