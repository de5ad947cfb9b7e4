/** Parts of packages in machine code that they do without: not bundled, so that what runs is the same everywhere. */
export const nativeParts = ['pg-native', 'cpu-features', /sshcrypto\.node$/]
