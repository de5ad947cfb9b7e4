import type { Artefact, Picture, Text } from './types.ts'

type Row = [key: string, en: string, nl: string, year: string, material: keyof typeof MATERIALS, picture: Picture, maker?: string]

const MATERIALS = {
  wood: { en: 'Pine and oak', nl: 'Grenen en eiken' },
  oil: { en: 'Oil on canvas', nl: 'Olieverf op doek' },
  brass: { en: 'Brass', nl: 'Messing' },
  paper: { en: 'Ink on paper', nl: 'Inkt op papier' },
  iron: { en: 'Wrought iron', nl: 'Smeedijzer' },
  tile: { en: 'Tin-glazed earthenware', nl: 'Tinglazuuraardewerk' },
  canvas: { en: 'Hemp canvas', nl: 'Hennepdoek' },
} satisfies Record<string, Text>

const ROWS: Row[] = [
  ['flute', 'Model of the flute Zeemeeuw', 'Model van het fluitschip De Zeemeeuw', '1668', 'wood', 'still-life', 'cornelis'],
  ['ledger', 'Ledger of the Roelofsz yard', 'Kasboek van werf Roelofsz', '1671–1694', 'paper', 'plan', 'cornelis'],
  ['octant', 'Octant in its case', 'Octant in kist', '1782', 'brass', 'still-life'],
  ['whaler', 'Tile picture of a whaler', 'Tegeltableau van een walvisvaarder', 'c. 1750', 'tile', 'tiles'],
  ['harbour', 'View of the harbour in a north-wester', 'Gezicht op de haven bij noordwester', '1899', 'oil', 'sea', 'willem'],
  ['launch', 'The launch of the Hoop', 'De tewaterlating van de Hoop', '1903', 'oil', 'sea', 'willem'],
  ['evening', 'Evening in the outer harbour', 'Avond in de buitenhaven', '1911', 'oil', 'sea', 'willem'],
  ['sketches', 'Sketchbook 17, rigging', 'Schetsboek 17, tuigage', '1896', 'paper', 'plan', 'willem'],
  [
    'sail',
    'Sail with the mark of the Kuiper yard',
    'Zeil met het merk van werf Kuiper',
    '1856',
    'canvas',
    'still-life',
    'geertruida',
  ],
  ['needle', 'Sailmaker’s palm and needles', 'Zeilhandplaat en naalden', '19th century', 'iron', 'still-life', 'geertruida'],
  ['tug', 'Lines plan of the tug Volharding', 'Lijnenplan van sleepboot Volharding', '1934', 'paper', 'plan', 'saskia'],
  ['tugmodel', 'Half model of the tug Volharding', 'Halfmodel van sleepboot Volharding', '1935', 'wood', 'still-life', 'saskia'],
  ['anchor', 'Anchor from the Westerdiep', 'Anker uit het Westerdiep', '17th century', 'iron', 'still-life'],
  ['bell', 'Bell of the steamer Amelia', 'Scheepsbel van stoomschip Amelia', '1888', 'brass', 'still-life'],
  ['compass', 'Dry card compass', 'Droog kompas', '1820', 'brass', 'tiles'],
  ['sign', 'Signboard “In the Three Herrings”', 'Uithangbord “In de drie haringen”', '1740', 'wood', 'tiles'],
  [
    'tiles',
    'Tiles with ships, from the harbour master’s house',
    'Scheepjestegels uit het huis van de havenmeester',
    'c. 1690',
    'tile',
    'tiles',
  ],
  ['storm', 'Three ships off the bar', 'Drie schepen voor de bank', '1874', 'oil', 'sea'],
  ['chart', 'Chart of the estuary', 'Kaart van de riviermond', '1711', 'paper', 'plan'],
  ['rivet', 'Riveting hammer', 'Klinkhamer', '1920', 'iron', 'still-life'],
  ['figurehead', 'Figurehead of the Fortuna', 'Boegbeeld van de Fortuna', '1790', 'wood', 'still-life'],
  ['whistle', 'Steam whistle of the yard', 'Stoomfluit van de werf', '1904', 'brass', 'still-life'],
  ['night', 'The slip at night', 'De helling bij nacht', '1921', 'oil', 'sea'],
  ['pennant', 'House flag of the Kuiper line', 'Rederijvlag van Kuiper', '1861', 'canvas', 'tiles', 'geertruida'],
]

export const ARTEFACTS: Artefact[] = ROWS.map(([key, en, nl, year, material, picture, maker]) => ({
  key,
  title: { en, nl },
  year,
  material: MATERIALS[material],
  picture,
  ...(maker === undefined ? {} : { maker }),
}))
