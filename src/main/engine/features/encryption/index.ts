export { type DecryptOptions, decryptContentStream, decryptStream } from './decrypt-stream.ts'
export { createEncryptStream, type EncryptOptions } from './encrypt-stream.ts'
export { generatePassword } from './generate-password.ts'
export { ENC_HEADER_BYTES, type EncHeader, type EncKey, readEncHeader, unlockEnc } from './header.ts'
