/** A small drawing as SVG: the museum's mark, plans of the rooms. */
export function drawSvg(title: string, hue: number): Buffer {
  const bars = Array.from({ length: 12 }, (_, index) => {
    const height = 30 + ((index * 37 + hue) % 90)
    return `  <rect x="${20 + index * 30}" y="${150 - height}" width="22" height="${height}" fill="hsl(${(hue + index * 7) % 360} 45% 45%)"/>`
  })
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 180" width="400" height="180">',
    `  <title>${title.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}</title>`,
    '  <path d="M10 150 H390 L360 172 H40 Z" fill="#2b3a42"/>',
    ...bars,
    '</svg>',
    '',
  ]
  return Buffer.from(lines.join('\n'), 'utf8')
}

/** A PDF of one page per paragraph of plain text (Latin letters). */
export function printPdf(title: string, paragraphs: string[]): Buffer {
  const objects: string[] = ['<< /Type /Catalog /Pages 2 0 R >>', '', '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>']
  const pages: string[] = []
  for (const paragraph of paragraphs) {
    const lines = [title, '', ...wrap(paragraph, 80)].map((line) => `(${escapePdf(line)}) Tj T*`)
    const text = `BT /F1 12 Tf 16 TL 60 760 Td ${lines.join(' ')} ET`
    objects.push(`<< /Length ${Buffer.byteLength(text, 'latin1')} >>\nstream\n${text}\nendstream`)
    const content = objects.length
    objects.push(
      `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> /Contents ${content} 0 R >>`,
    )
    pages.push(`${objects.length} 0 R`)
  }
  objects[1] = `<< /Type /Pages /Kids [${pages.join(' ')}] /Count ${pages.length} >>`
  let file = '%PDF-1.4\n'
  const offsets = objects.map((object, index) => {
    const offset = Buffer.byteLength(file, 'latin1')
    file += `${index + 1} 0 obj\n${object}\nendobj\n`
    return offset
  })
  const xref = Buffer.byteLength(file, 'latin1')
  const entries = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`)
  file += `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${entries.join('')}`
  file += `trailer\n<< /Size ${objects.length + 1} /Root 1 0 R >>\nstartxref\n${xref}\n%%EOF\n`
  return Buffer.from(file, 'latin1')
}

function escapePdf(line: string): string {
  return line
    .replaceAll('’', "'")
    .replace(/[“”]/g, '"')
    .replace(/[^\x20-\x7e\xa0-\xff]/g, '?')
    .replace(/[\\()]/g, '\\$&')
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line && line.length + word.length + 1 > width) {
      lines.push(line)
      line = word
    } else {
      line = line ? `${line} ${word}` : word
    }
  }
  return [...lines, line]
}
