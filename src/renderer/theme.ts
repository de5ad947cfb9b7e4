import { type CSSVariablesResolver, createTheme, type MantineColorsTuple } from '@mantine/core'
import classes from './theme.module.css'

/** name: [light, dark]. The only place with colours; everything else uses `var(--name)`. */
const TOKENS: Record<string, readonly [light: string, dark: string]> = {
  side: ['#ECEEF1', '#15181C'],
  win: ['#F7F8FA', '#1A1D22'],
  surface: ['#FFFFFF', '#20242A'],
  sunken: ['#F1F3F5', '#1B1F24'],
  line: ['#E0E4E9', '#2F353D'],
  'line-2': ['#C3CAD3', '#475059'],
  field: ['#86909D', '#707B87'],
  hover: ['#EFF2F6', '#262B32'],
  text: ['#1A1F26', '#E7EAEE'],
  'text-2': ['#505B69', '#B0B8C3'],
  'text-3': ['#5F6A78', '#98A2AE'],
  acc: ['#2457C5', '#8DB2FF'],
  'acc-fill': ['#2B60D2', '#3565CF'],
  'acc-fill-hover': ['#2457C5', '#3D6FDD'],
  'acc-bg': ['#E6EEFC', '#22324F'],
  'acc-line': ['#A9C2F3', '#3F5F9E'],
  neu: ['#E9ECF0', '#2E343C'],
  'neu-t': ['#434D59', '#C3CBD5'],
  'ok-text': ['#17693D', '#74D09B'],
  ok: ['#2C9A5E', '#3FB577'],
  'ok-bg': ['#E0F2E7', '#18352A'],
  'warn-text': ['#7E4F00', '#EDBE5A'],
  warn: ['#BC7A06', '#DFA02E'],
  'warn-bg': ['#FBEFD0', '#3A2F16'],
  'bad-text': ['#AD241B', '#FF9389'],
  bad: ['#D3382D', '#EC5B50'],
  'bad-bg': ['#FBE5E2', '#45221F'],
  'pin-text': ['#5B3FA8', '#C3B0FF'],
  'pin-bg': ['#ECE6FA', '#322A52'],
  strip: ['#45996F', '#2F8A5B'],
  none: ['#D5DAE0', '#3A424B'],
  spark: ['#8A95A3', '#8A95A3'],
  'on-fill': ['#FFFFFF', '#FFFFFF'],
  scrim: ['rgba(26, 31, 38, 0.46)', 'rgba(8, 10, 12, 0.46)'],
  'shadow-button': ['0 1px 2px rgba(26, 31, 38, 0.06)', '0 1px 2px rgba(0, 0, 0, 0.06)'],
  'shadow-float': ['0 12px 40px rgba(26, 31, 38, 0.22)', '0 12px 40px rgba(0, 0, 0, 0.22)'],
}

const SYSTEM_FONT =
  '-apple-system, "Segoe UI Variable Text", "Segoe UI", Cantarell, Ubuntu, "Noto Sans", "Liberation Sans", sans-serif'
const MONO_FONT = 'ui-monospace, SFMono-Regular, Menlo, Consolas, monospace'

/** Mantine's own parts, said in our names. */
const MANTINE: Record<string, string> = {
  '--mantine-color-body': 'var(--win)',
  '--mantine-color-text': 'var(--text)',
  '--mantine-color-dimmed': 'var(--text-2)',
  '--mantine-color-placeholder': 'var(--text-3)',
  '--mantine-color-default': 'var(--surface)',
  '--mantine-color-default-hover': 'var(--hover)',
  '--mantine-color-default-color': 'var(--text)',
  '--mantine-color-default-border': 'var(--line-2)',
  '--mantine-color-error': 'var(--bad-text)',
  '--mantine-color-anchor': 'var(--acc)',
  '--mantine-primary-color-filled': 'var(--acc-fill)',
  '--mantine-primary-color-filled-hover': 'var(--acc-fill-hover)',
}

function pick(index: 0 | 1): Record<string, string> {
  const variables: Record<string, string> = {}
  for (const [name, pair] of Object.entries(TOKENS)) variables[`--${name}`] = pair[index]
  return { ...variables, ...MANTINE }
}

/** Puts the tokens on the root element, once for light and once for dark. */
export const cssVariablesResolver: CSSVariablesResolver = () => ({
  variables: { '--font': SYSTEM_FONT, '--mono': MONO_FONT },
  light: pick(0),
  dark: pick(1),
})

const accent: MantineColorsTuple = [
  'var(--acc-bg)',
  'var(--acc-bg)',
  'var(--acc-line)',
  'var(--acc-line)',
  'var(--acc-fill)',
  'var(--acc-fill)',
  'var(--acc-fill)',
  'var(--acc-fill-hover)',
  'var(--acc-fill-hover)',
  'var(--acc)',
]

const fieldClasses = { input: classes.input, label: classes.label, error: classes.error, description: classes.description }

/** Mantine in the measures of this application; states and surfaces are in `theme.module.css`. */
export const theme = createTheme({
  fontFamily: SYSTEM_FONT,
  fontFamilyMonospace: MONO_FONT,
  fontSizes: { xs: '11px', sm: '12px', md: '13px', lg: '15px', xl: '17px' },
  lineHeights: { xs: '16px', sm: '16px', md: '20px', lg: '20px', xl: '24px' },
  defaultRadius: '6px',
  colors: { accent },
  primaryColor: 'accent',
  primaryShade: 6,
  autoContrast: false,
  cursorType: 'default',
  respectReducedMotion: true,
  focusRing: 'auto',
  components: {
    Button: {
      defaultProps: { variant: 'default' },
      classNames: { root: classes.button, label: classes.buttonLabel, section: classes.buttonSection },
    },
    TextInput: { classNames: fieldClasses },
    PasswordInput: { classNames: { ...fieldClasses, innerInput: classes.innerInput, visibilityToggle: classes.visibility } },
    NumberInput: { classNames: fieldClasses },
    Select: { classNames: { ...fieldClasses, dropdown: classes.dropdown, option: classes.option } },
    Autocomplete: { classNames: { ...fieldClasses, dropdown: classes.dropdown, option: classes.option } },
    Checkbox: {
      defaultProps: { size: 'xs' },
      classNames: { input: classes.checkbox, icon: classes.checkboxIcon, label: classes.checkLabel },
    },
    Switch: {
      defaultProps: { size: 'xs', withThumbIndicator: false },
      classNames: { track: classes.switchTrack, thumb: classes.switchThumb, label: classes.checkLabel },
    },
    Radio: {
      defaultProps: { size: 'xs' },
      classNames: { radio: classes.radio, label: classes.checkLabel, description: classes.radioText },
    },
    Menu: {
      defaultProps: { shadow: 'none', position: 'bottom-end', withInitialFocusPlaceholder: false },
      classNames: { dropdown: classes.dropdown, item: classes.menuItem, label: classes.menuLabel, divider: classes.menuDivider },
    },
    Popover: { defaultProps: { shadow: 'none', transitionProps: { duration: 0 } }, classNames: { dropdown: classes.popover } },
    Modal: {
      defaultProps: { centered: true, transitionProps: { duration: 0 } },
      classNames: {
        content: classes.modal,
        header: classes.modalHeader,
        title: classes.modalTitle,
        body: classes.modalBody,
        overlay: classes.overlay,
        close: classes.close,
      },
    },
    Drawer: {
      defaultProps: { transitionProps: { duration: 120 } },
      classNames: { content: classes.drawer, header: classes.drawerHeader, body: classes.drawerBody, overlay: classes.overlay },
    },
    Tooltip: { defaultProps: { openDelay: 300, transitionProps: { duration: 0 } }, classNames: { tooltip: classes.tooltip } },
  },
})
