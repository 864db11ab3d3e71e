// SPDX-License-Identifier: MIT
import js from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

const testGlobals = ['describe', 'context', 'it', 'specify'];

export default defineConfig(
  globalIgnores([
    ...['build/', 'dist/', 'out/', 'coverage/'],
    ...['test/package/consumer-types.*', 'test/package/bundled/', 'test/package/runners/'],
  ]),
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
      // The brackets in process.env['NAME'] show that the name may be missing.
      '@typescript-eslint/dot-notation': 'off',
      // A number in a template needs no String() around it.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      // A callback such as "() => resolve(value)" is more readable than one with braces around the call.
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // A promise rejects with the value that was caught, whatever its type.
      '@typescript-eslint/prefer-promise-reject-errors': ['error', { allowThrowingUnknown: true }],
      // The rule does not see that a callback sets a flag, and that callers without types pass other values.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      // The rule does not see that a value cannot be an object any more.
      '@typescript-eslint/no-base-to-string': 'off',
      // The rule treats functions that are properties of plain objects as methods.
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  {
    files: ['lib/**'],
    rules: {
      // The stack of an error has the user's function only if each async function awaits the one that it calls.
      '@typescript-eslint/return-await': ['error', 'always'],
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
      // A test may assert that a value exists: if it does not, the test fails, as it should.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // Tests pass wrong arguments on purpose, and parse the reports of children without a schema.
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
      // An expression in these files is only compiled; its value does not matter.
      '@typescript-eslint/no-meaningless-void-operator': 'off',
    },
  },
  {
    // Examples are for reading: they have no more types than a reader needs.
    files: ['examples/**'],
    extends: [tseslint.configs.disableTypeChecked],
  },
  {
    files: ['**/*.cjs', '**/*.cts'],
    languageOptions: { sourceType: 'commonjs' },
    rules: { '@typescript-eslint/no-require-imports': 'off' },
  },
  {
    // The compiler checks names, and it knows the globals of Node.
    files: ['**/*.mjs', '**/*.cjs'],
    rules: { 'no-undef': 'off' },
  },
);
