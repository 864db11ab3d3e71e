// SPDX-License-Identifier: MIT
import js from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

const testGlobals = ['describe', 'context', 'it', 'specify'];

export default defineConfig(
  globalIgnores(['build/', 'dist/', 'out/', 'prebuilds/', 'coverage/']),
  js.configs.recommended,
  tseslint.configs.strictTypeChecked,
  {
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    languageOptions: {
      parserOptions: {
        project: [
          'tsconfig.build.json',
          'tsconfig.test.json',
          'scripts/tsconfig.json',
          'scripts/tsconfig.examples.json',
        ],
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      eqeqeq: 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      // process.env['NAME'] says that the name may be missing.
      '@typescript-eslint/dot-notation': 'off',
      // A number in a message needs no String() around it.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      // A callback such as "() => resolve(value)" reads better than one with braces around the call.
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // What was caught is passed on as it is.
      '@typescript-eslint/prefer-promise-reject-errors': ['error', { allowThrowingUnknown: true }],
      // It takes a flag that a callback sets to keep its first value, and callers without types to obey the types.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      // It takes a value that is no longer an object for one that still may be.
      '@typescript-eslint/no-base-to-string': 'off',
      // It takes functions that are properties of plain objects for methods.
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  {
    files: ['lib/**'],
    rules: {
      // The methods in CPython's spelling are declared by merging and defined from one table.
      '@typescript-eslint/no-unsafe-declaration-merging': 'off',
      // Of the two constructors of such a class, one is public and one internal.
      '@typescript-eslint/unified-signatures': ['error', { ignoreOverloadsWithDifferentJSDoc: true }],
    },
  },
  {
    files: ['test/**', 'bench/**'],
    rules: {
      // Assertions such as expect(x).to.be.true are expressions.
      '@typescript-eslint/no-unused-expressions': 'off',
      // A test may say that a value is there; if it is not, the test fails, which is what it is for.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // Wrong arguments are passed on purpose, and what a child reports is parsed without a schema.
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      // A forgotten "only" would silently skip all other tests.
      'no-restricted-properties': ['error', ...testGlobals.map((object) => ({ object, property: 'only' }))],
    },
  },
  {
    files: ['test/types/**'],
    rules: {
      // An expression is there to be compiled, whatever its value.
      '@typescript-eslint/no-meaningless-void-operator': 'off',
    },
  },
  {
    // Examples are written for reading: they carry no more types than a reader needs.
    files: ['examples/**'],
    extends: [tseslint.configs.disableTypeChecked],
  },
  {
    files: ['**/*.cjs', '**/*.cts'],
    languageOptions: { sourceType: 'commonjs' },
    rules: { '@typescript-eslint/no-require-imports': 'off' },
  },
  {
    // The compiler checks names, and knows the globals of Node.
    files: ['**/*.mjs', '**/*.cjs'],
    rules: { 'no-undef': 'off' },
  },
);
