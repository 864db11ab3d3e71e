// SPDX-License-Identifier: MIT
//
// The names that classes and functions of Python 2's standard library have in Python 3. Protocols 0 to 2 use the old
// ones, also if Python 3 writes them. CPython: `_compat_pickle`.

/** Modules with other names. */
const MODULES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    BaseHTTPServer: 'http.server',
    CGIHTTPServer: 'http.server',
    ConfigParser: 'configparser',
    Cookie: 'http.cookies',
    Dialog: 'tkinter.dialog',
    DocXMLRPCServer: 'xmlrpc.server',
    FileDialog: 'tkinter.filedialog',
    HTMLParser: 'html.parser',
    Queue: 'queue',
    ScrolledText: 'tkinter.scrolledtext',
    SimpleDialog: 'tkinter.simpledialog',
    SimpleHTTPServer: 'http.server',
    SimpleXMLRPCServer: 'xmlrpc.server',
    SocketServer: 'socketserver',
    StringIO: 'io',
    Tix: 'tkinter.tix',
    Tkconstants: 'tkinter.constants',
    Tkdnd: 'tkinter.dnd',
    Tkinter: 'tkinter',
    UserDict: 'collections',
    UserList: 'collections',
    UserString: 'collections',
    __builtin__: 'builtins',
    _abcoll: 'collections.abc',
    _elementtree: 'xml.etree.ElementTree',
    _winreg: 'winreg',
    anydbm: 'dbm',
    cPickle: 'pickle',
    cStringIO: 'io',
    commands: 'subprocess',
    cookielib: 'http.cookiejar',
    copy_reg: 'copyreg',
    dbhash: 'dbm.bsd',
    dbm: 'dbm.ndbm',
    dumbdbm: 'dbm.dumb',
    dummy_thread: '_dummy_thread',
    gdbm: 'dbm.gnu',
    htmlentitydefs: 'html.entities',
    httplib: 'http.client',
    markupbase: '_markupbase',
    repr: 'reprlib',
    robotparser: 'urllib.robotparser',
    'test.test_support': 'test.support',
    thread: '_thread',
    tkColorChooser: 'tkinter.colorchooser',
    tkCommonDialog: 'tkinter.commondialog',
    tkFileDialog: 'tkinter.filedialog',
    tkFont: 'tkinter.font',
    tkMessageBox: 'tkinter.messagebox',
    tkSimpleDialog: 'tkinter.simpledialog',
    ttk: 'tkinter.ttk',
    urllib2: 'urllib.request',
    urlparse: 'urllib.parse',
    whichdb: 'dbm',
    xmlrpclib: 'xmlrpc.client',
  }),
);

/** The exceptions of Python 2, which have their own module there. */
const EXCEPTIONS = (
  'ArithmeticError AssertionError AttributeError BaseException BufferError BytesWarning ' +
  'DeprecationWarning EOFError Exception FloatingPointError FutureWarning GeneratorExit ImportError ' +
  'ImportWarning IndentationError IndexError KeyError KeyboardInterrupt LookupError MemoryError ' +
  'NameError NotImplementedError OSError OverflowError PendingDeprecationWarning ReferenceError ' +
  'RuntimeError RuntimeWarning StopIteration SyntaxError SyntaxWarning SystemError SystemExit TabError ' +
  'TypeError UnboundLocalError UnicodeDecodeError UnicodeEncodeError UnicodeError UnicodeTranslateError ' +
  'UnicodeWarning UserWarning ValueError Warning ZeroDivisionError'
).split(' ');

/** By module: names that went to another module, or changed. */
const NAMES: ReadonlyMap<string, ReadonlyMap<string, readonly [module: string, name: string]>> = new Map([
  [
    'exceptions',
    new Map<string, readonly [string, string]>([
      ...EXCEPTIONS.map((name) => [name, ['builtins', name]] as const),
      ['EnvironmentError', ['builtins', 'OSError']],
      ['IOError', ['builtins', 'OSError']],
      ['StandardError', ['builtins', 'Exception']],
    ]),
  ],
  names('UserDict', {
    IterableUserDict: 'collections:UserDict',
  }),
  names('__builtin__', {
    basestring: 'builtins:str',
    intern: 'sys:intern',
    long: 'builtins:int',
    reduce: 'functools:reduce',
    unichr: 'builtins:chr',
    unicode: 'builtins:str',
    xrange: 'builtins:range',
  }),
  names('_multiprocessing', {
    Connection: 'multiprocessing.connection:Connection',
  }),
  names('_socket', {
    fromfd: 'socket:fromfd',
  }),
  names('itertools', {
    ifilter: 'builtins:filter',
    ifilterfalse: 'itertools:filterfalse',
    imap: 'builtins:map',
    izip: 'builtins:zip',
    izip_longest: 'itertools:zip_longest',
  }),
  names('multiprocessing', {
    AuthenticationError: 'multiprocessing.context:AuthenticationError',
    BufferTooShort: 'multiprocessing.context:BufferTooShort',
    ProcessError: 'multiprocessing.context:ProcessError',
    TimeoutError: 'multiprocessing.context:TimeoutError',
  }),
  names('multiprocessing.forking', {
    Popen: 'multiprocessing.popen_fork:Popen',
  }),
  names('multiprocessing.process', {
    Process: 'multiprocessing.context:Process',
  }),
  names('socket', {
    _socketobject: 'socket:SocketType',
  }),
  names('urllib', {
    ContentTooShortError: 'urllib.error:ContentTooShortError',
    getproxies: 'urllib.request:getproxies',
    pathname2url: 'urllib.request:pathname2url',
    quote: 'urllib.parse:quote',
    quote_plus: 'urllib.parse:quote_plus',
    unquote: 'urllib.parse:unquote',
    unquote_plus: 'urllib.parse:unquote_plus',
    url2pathname: 'urllib.request:url2pathname',
    urlcleanup: 'urllib.request:urlcleanup',
    urlencode: 'urllib.parse:urlencode',
    urlopen: 'urllib.request:urlopen',
    urlretrieve: 'urllib.request:urlretrieve',
  }),
  names('urllib2', {
    HTTPError: 'urllib.error:HTTPError',
    URLError: 'urllib.error:URLError',
  }),
]);

function names(
  module: string,
  entries: Readonly<Record<string, string>>,
): [string, ReadonlyMap<string, readonly [string, string]>] {
  return [module, new Map(Object.entries(entries).map(([name, to]) => [name, to.split(':') as [string, string]]))];
}

/** The names in Python 3 of a class or function that a pickle of protocol 0 to 2 names. */
export function currentName(module: string, name: string): readonly [module: string, name: string] {
  return NAMES.get(module)?.get(name) ?? [MODULES.get(module) ?? module, name];
}
