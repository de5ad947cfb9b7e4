import type { Text } from './types.ts'

export const SITE_NAME = 'demo'
export const SITE_LABEL = 'Demo: Museum De Oude Werf'
export const SITE_TITLE: Text = { en: 'Museum De Oude Werf', nl: 'Museum De Oude Werf' }

/** Category tree: id, name, parent, title. The ids are those of a real site. */
export const CATEGORIES: [id: number, name: string, parent: string | null, title: Text][] = [
  [101, 'other', null, { en: 'Uncategorized', nl: 'Zonder categorie' }],
  [104, 'text', null, { en: 'Text', nl: 'Tekst' }],
  [106, 'article', 'text', { en: 'Article', nl: 'Artikel' }],
  [109, 'news', 'article', { en: 'News', nl: 'Nieuws' }],
  [102, 'person', null, { en: 'Person', nl: 'Persoon' }],
  [119, 'location', null, { en: 'Location', nl: 'Locatie' }],
  [108, 'event', null, { en: 'Event', nl: 'Evenement' }],
  [103, 'artifact', null, { en: 'Object', nl: 'Voorwerp' }],
  [110, 'media', null, { en: 'Media', nl: 'Media' }],
  [111, 'image', 'media', { en: 'Image', nl: 'Afbeelding' }],
  [112, 'video', 'media', { en: 'Video', nl: 'Video' }],
  [113, 'audio', 'media', { en: 'Audio', nl: 'Geluid' }],
  [114, 'document', 'media', { en: 'Document', nl: 'Document' }],
  [120, 'collection', null, { en: 'Collection', nl: 'Collectie' }],
  [122, 'categorization', null, { en: 'Categorization', nl: 'Categorisatie' }],
  [123, 'keyword', 'categorization', { en: 'Keyword', nl: 'Trefwoord' }],
  [115, 'meta', null, { en: 'Meta', nl: 'Meta' }],
  [116, 'category', 'meta', { en: 'Category', nl: 'Categorie' }],
  [117, 'predicate', 'meta', { en: 'Predicate', nl: 'Predikaat' }],
  [118, 'content_group', 'meta', { en: 'Content group', nl: 'Inhoudsgroep' }],
  [124, 'menu', 'categorization', { en: 'Menu', nl: 'Menu' }],
]

/** Predicates: id, name, title, categories of the subject, of the object. */
export const PREDICATES: [id: number, name: string, title: Text, subjects: string[], objects: string[]][] = [
  [300, 'about', { en: 'About', nl: 'Over' }, ['text'], []],
  [301, 'author', { en: 'Author', nl: 'Auteur' }, ['text', 'artifact'], ['person']],
  [303, 'relation', { en: 'Relation', nl: 'Relatie' }, [], []],
  [304, 'depiction', { en: 'Depiction', nl: 'Afbeelding' }, [], ['media']],
  [305, 'haslocation', { en: 'Takes place at', nl: 'Vindt plaats in' }, ['event'], ['location']],
  [308, 'subject', { en: 'Keyword', nl: 'Trefwoord' }, [], ['keyword']],
  [309, 'hasdocument', { en: 'Document', nl: 'Document' }, [], ['document']],
  [310, 'haspart', { en: 'Contains', nl: 'Bevat' }, ['collection'], []],
]

export const KEYWORDS: [key: string, title: Text][] = [
  ['archive', { en: 'Archive', nl: 'Archief' }],
  ['shipbuilding', { en: 'Shipbuilding', nl: 'Scheepsbouw' }],
  ['women', { en: 'Women on the yard', nl: 'Vrouwen op de werf' }],
  ['painting', { en: 'Paintings', nl: 'Schilderijen' }],
  ['restoration', { en: 'Restoration', nl: 'Restauratie' }],
  ['steam', { en: 'Steam', nl: 'Stoom' }],
  ['education', { en: 'Education', nl: 'Educatie' }],
  ['visit', { en: 'Your visit', nl: 'Uw bezoek' }],
  ['sound', { en: 'Sound', nl: 'Klank' }],
]

export const LOCATIONS: [key: string, title: Text, latitude: number, longitude: number][] = [
  ['museum', { en: 'Museum building', nl: 'Museumgebouw' }, 52.7031, 5.2914],
  ['hall', { en: 'Slipway hall', nl: 'Hellinghal' }, 52.7034, 5.2921],
  ['workshop', { en: 'Open workshop', nl: 'Open werkplaats' }, 52.7036, 5.2917],
  ['quay', { en: 'Museum quay', nl: 'Museumkade' }, 52.7029, 5.2926],
  ['cafe', { en: 'Café De Drie Haringen', nl: 'Café De Drie Haringen' }, 52.703, 5.2911],
]

export const COLLECTIONS: [key: string, title: Text, parts: string[]][] = [
  ['c_paintings', { en: 'Paintings of the sea', nl: 'Zeestukken' }, ['harbour', 'launch', 'evening', 'storm', 'night']],
  ['c_models', { en: 'Models', nl: 'Modellen' }, ['flute', 'tugmodel', 'figurehead']],
  ['c_instruments', { en: 'Finding the way', nl: 'De weg vinden' }, ['octant', 'compass', 'chart']],
  ['c_yard', { en: 'Work on the yard', nl: 'Werk op de werf' }, ['rivet', 'whistle', 'needle', 'sail', 'anchor']],
]

/** Static pages: they are in the menus. */
export const PAGES: [key: string, path: string, title: Text, summary: Text][] = [
  [
    'page_home',
    '/',
    SITE_TITLE,
    { en: 'Four centuries of shipbuilding in Havendam.', nl: 'Vier eeuwen scheepsbouw in Havendam.' },
  ],
  [
    'page_about',
    '/about',
    { en: 'About us', nl: 'Over ons' },
    { en: 'Who we are, and who pays for it.', nl: 'Wie we zijn, en wie het betaalt.' },
  ],
  [
    'page_visit',
    '/visit',
    { en: 'Plan your visit', nl: 'Plan uw bezoek' },
    { en: 'Opening hours, prices, the way here.', nl: 'Openingstijden, prijzen, de weg hierheen.' },
  ],
  [
    'page_contact',
    '/contact',
    { en: 'Contact', nl: 'Contact' },
    { en: 'Write, ring or drop in.', nl: 'Schrijf, bel of kom langs.' },
  ],
  [
    'page_privacy',
    '/privacy',
    { en: 'Privacy', nl: 'Privacy' },
    { en: 'What we keep of you: little.', nl: 'Wat wij van u bewaren: weinig.' },
  ],
]

export const MODULES: string[] =
  'mod_base mod_acl_user_groups mod_admin mod_admin_category mod_admin_config mod_admin_identity mod_admin_modules mod_admin_predicate mod_artwork mod_authentication mod_backup mod_bootstrap mod_content_groups mod_cron mod_editor_tinymce mod_email_status mod_export mod_fileuploader mod_filestore mod_image_edit mod_l10n mod_logging mod_mailinglist mod_media_exif mod_menu mod_mqtt mod_oembed mod_search mod_seo mod_seo_sitemap mod_server_storage mod_ssl_letsencrypt mod_translation mod_tkvstore mod_video mod_wires'.split(
    ' ',
  )

/** Paragraphs that article bodies are put together from. */
export const PARAGRAPHS: Text[] = [
  {
    en: 'It began with a box under the stairs. Nobody had opened it since the move of 1962, and the label had come off.',
    nl: 'Het begon met een doos onder de trap. Niemand had die sinds de verhuizing van 1962 geopend, en het etiket was eraf.',
  },
  {
    en: 'The wood tells when it was felled: the last ring was counted twice, once in the museum and once in a laboratory.',
    nl: 'Het hout vertelt wanneer het is gekapt: de laatste jaarring is twee keer geteld, in het museum en in een laboratorium.',
  },
  {
    en: 'Prices are given in guilders and stuivers. A barrel of pitch cost as much as a carpenter earned in a week.',
    nl: 'De prijzen staan in guldens en stuivers. Een vat pek kostte evenveel als een timmerman in een week verdiende.',
  },
  {
    en: 'You can see the work every weekday between ten and four. Ask what you like: the restorers are used to it.',
    nl: 'Het werk is op werkdagen te zien tussen tien en vier. Vraag gerust: de restauratoren zijn het gewend.',
  },
  {
    en: 'We do not know who commissioned it. The bill was paid in cash, and the receipt is signed with a cross.',
    nl: 'We weten niet wie de opdracht gaf. De rekening is contant betaald, en de kwitantie is met een kruisje getekend.',
  },
  {
    en: 'Salt had crept into every seam. It was washed out with rain water, a litre at a time, for eleven weeks.',
    nl: 'Het zout was in elke naad gekropen. Het is elf weken lang uitgespoeld met regenwater, een liter per keer.',
  },
  {
    en: 'In the yard they had a word for it that is in no dictionary, and those who used it are no longer there.',
    nl: 'Op de werf hadden ze er een woord voor dat in geen woordenboek staat, en wie het gebruikte is er niet meer.',
  },
  {
    en: 'Compare it with the model in the next room: the same curve, drawn a century later by somebody who never saw this one.',
    nl: 'Vergelijk het met het model in de volgende zaal: dezelfde lijn, een eeuw later getekend door iemand die dit nooit zag.',
  },
  {
    en: 'The photograph was taken at low water. By the shadow it must have been about five in the afternoon, in May.',
    nl: 'De foto is bij laag water genomen. Naar de schaduw te oordelen was het rond vijven, in mei.',
  },
  {
    en: 'Thanks to the Friends of the yard, who paid for the frame, and to the fire brigade, who carried it.',
    nl: 'Met dank aan de Vrienden van de werf, die de lijst betaalden, en de brandweer, die hem droeg.',
  },
  {
    en: 'If you have photographs, letters or tools from the yard: we would love to see them. You get them back.',
    nl: 'Hebt u foto’s, brieven of gereedschap van de werf? We zien ze graag. U krijgt ze terug.',
  },
  {
    en: 'The text on the back was only found when the canvas was taken off its stretcher.',
    nl: 'De tekst op de achterkant is pas gevonden toen het doek van zijn spieraam kwam.',
  },
]
