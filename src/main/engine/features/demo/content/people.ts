import type { Person } from './types.ts'

/** Everybody here is made up. */
export const PEOPLE: Person[] = [
  {
    key: 'marijke',
    firstName: 'Marijke',
    surname: 'de Vries',
    role: { en: 'Editor and curator of ship models', nl: 'Redacteur en conservator scheepsmodellen' },
    bio: {
      en: 'Marijke has looked after the models since 2011 and writes most of what you read here.',
      nl: 'Marijke zorgt sinds 2011 voor de modellen en schrijft het meeste van wat u hier leest.',
    },
  },
  {
    key: 'hendrik',
    firstName: 'Hendrik',
    surname: 'Bakker',
    role: { en: 'Director', nl: 'Directeur' },
    bio: {
      en: 'Hendrik came from the harbour company and has led the museum for nine years.',
      nl: 'Hendrik kwam van het havenbedrijf en leidt het museum sinds negen jaar.',
    },
  },
  {
    key: 'amina',
    firstName: 'Amina',
    surname: 'El Idrissi',
    role: { en: 'Education and schools', nl: 'Educatie en scholen' },
    bio: {
      en: 'Amina shows twelve thousand children a year how a rivet is driven.',
      nl: 'Amina laat elk jaar twaalfduizend kinderen zien hoe je een klinknagel slaat.',
    },
  },
  {
    key: 'tomasz',
    firstName: 'Tomasz',
    surname: 'Zieliński',
    role: { en: 'Restorer of wood and rigging', nl: 'Restaurator hout en tuigage' },
    bio: {
      en: 'Tomasz learned his trade on the yards of Gdańsk and works in our open workshop.',
      nl: 'Tomasz leerde zijn vak op de werven van Gdańsk en werkt in onze open werkplaats.',
    },
  },
  {
    key: 'lotte',
    firstName: 'Lotte',
    surname: 'van Dijk',
    role: { en: 'Photographer', nl: 'Fotograaf' },
    bio: {
      en: 'Lotte photographs the collection, piece by piece, in the old mould loft.',
      nl: 'Lotte fotografeert de collectie, stuk voor stuk, op de oude mallenzolder.',
    },
  },
  {
    key: 'joris',
    firstName: 'Joris',
    surname: 'Mulder',
    role: { en: 'Volunteer, steam engine', nl: 'Vrijwilliger, stoommachine' },
    bio: {
      en: 'Every first Sunday of the month Joris gets the engine of 1904 going.',
      nl: 'Elke eerste zondag van de maand brengt Joris de machine uit 1904 op gang.',
    },
  },
  {
    key: 'cornelis',
    firstName: 'Cornelis',
    surname: 'Roelofsz',
    born: 1641,
    role: { en: 'Shipwright', nl: 'Scheepsbouwer' },
    bio: {
      en: 'Built eleven flutes on the slip behind the church. His ledger has survived two fires.',
      nl: 'Bouwde elf fluitschepen op de helling achter de kerk. Zijn kasboek doorstond twee branden.',
    },
  },
  {
    key: 'geertruida',
    firstName: 'Geertruida',
    surname: 'Kuiper',
    born: 1818,
    role: { en: 'Sailmaker and owner of the yard', nl: 'Zeilmaakster en eigenares van de werf' },
    bio: {
      en: 'Took over the yard as a widow of thirty and doubled it in ten years.',
      nl: 'Nam de werf over als weduwe van dertig en verdubbelde haar in tien jaar.',
    },
  },
  {
    key: 'willem',
    firstName: 'Willem',
    surname: 'Oosterhuis',
    born: 1872,
    role: { en: 'Painter of ships', nl: 'Schilder van schepen' },
    bio: {
      en: 'Painted for shipowners who counted every rope, and left us forty sketchbooks.',
      nl: 'Schilderde voor reders die elk touw natelden, en liet ons veertig schetsboeken na.',
    },
  },
  {
    key: 'saskia',
    firstName: 'Saskia',
    surname: 'Brandsma',
    born: 1903,
    role: { en: 'Naval architect', nl: 'Scheepsbouwkundige' },
    bio: {
      en: 'Drew the lines of the tug Volharding when women were not yet let into the drawing office.',
      nl: 'Tekende de lijnen van de sleepboot Volharding toen vrouwen nog niet op de tekenkamer mochten.',
    },
  },
  {
    key: 'pieter',
    firstName: 'Pieter',
    surname: 'Haan',
    role: { en: 'Former welder, tells stories on Thursdays', nl: 'Oud-lasser, vertelt op donderdag' },
    bio: {
      en: 'Worked on the last ship that left the yard, in 1979.',
      nl: 'Werkte aan het laatste schip dat de werf verliet, in 1979.',
    },
  },
  {
    key: 'nour',
    firstName: 'Nour',
    surname: 'Haddad',
    role: { en: 'Artist in residence', nl: 'Kunstenaar in huis' },
    bio: {
      en: 'Nour makes sound out of hulls. You hear it in the slipway hall until the end of the year.',
      nl: 'Nour maakt klank van scheepsrompen. Te horen in de hellinghal tot het eind van het jaar.',
    },
  },
]
